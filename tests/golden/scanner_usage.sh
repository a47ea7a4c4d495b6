# Every flag without its value, with one it does not take, and out of its range: exit 2 and one line.
flags=$(pwalk-scanner --dump-options json)
each() { python3 -c 'import json, sys; [print(f["name"]) for f in json.load(sys.stdin) if '"$1"']' <<<"$flags"; }

for flag in $(each 'f["kind"] != "bool"'); do
  run pwalk-scanner . "--$flag"
  run pwalk-scanner . "--$flag="
done
for flag in $(each 'f["kind"] in ("count", "size", "seconds", "choice")'); do run pwalk-scanner . "--$flag" nonsense; done
for flag in $(each 'f["kind"] in ("count", "size", "seconds")'); do run pwalk-scanner . "--$flag" -1; done
for flag in $(each 'f["kind"] == "bool"'); do run pwalk-scanner . "--$flag=yes"; done
run pwalk-scanner . --ring-size 1M
run pwalk-scanner . --batch-size 0
run pwalk-scanner . --batch-size 32768
run pwalk-scanner . --min-threads 2000
run pwalk-scanner . --name 'a b'
run pwalk-scanner . --name -x
run pwalk-scanner . --columns 'sizes'
run pwalk-scanner . --columns ''
run pwalk-scanner . --exclude-from /no/such/file
printf '# fine\n*.o\n[a-\n' >globs
run pwalk-scanner . --exclude-from globs
run pwalk-scanner . --min-threads 4 --max-threads 2
run pwalk-scanner
run pwalk-scanner --josn .
run pwalk-scanner --nonsense .
run pwalk-scanner -x .
run pwalk-scanner . --max-depth $'\e[31m\n'
