# Wrong usage of pwalk and its commands: exit 2 and one line.
run pwalk
run pwalk nonsense
run pwalk tial
run pwalk scans home
run pwalk scans --jsno
run pwalk tail one two
run pwalk tail --format xml
run pwalk tail --format
run pwalk tail --columns size
run pwalk tail --format null --columns size
run pwalk tail --format csv --columns sizes
run pwalk tail --format csv --columns size,,name
run pwalk tail --format csv --columns size,name,size
run pwalk export home
run pwalk export home -o file.txt
run pwalk export home -o file.csv --columns sizes
run pwalk tail --start middle
run pwalk tail --timeout soon
run pwalk tail --timeout -1
run pwalk rm
run pwalk rm --force x
run pwalk doctor a b
