# The help screens.
run pwalk-scanner --help
run pwalk-scanner --help-all
run pwalk --help
for command in scans tail export diff run rm doctor; do run pwalk "$command" --help; done
