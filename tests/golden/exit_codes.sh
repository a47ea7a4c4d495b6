# How each kind of end looks to a script.
mkdir sub && touch file sub/file
untimed() { sed -E 's/ in [0-9.]+ s, [0-9.kM]+\/s/ in T/'; }
run pwalk-scanner --linger 0 --quiet .
run pwalk-scanner --linger 0 . | untimed
run pwalk-scanner --linger 0 --quiet . /no/such/root
run pwalk-scanner /no/such/root | untimed
run pwalk-scanner --consumers 1 --attach-timeout 0.2 . | untimed
run pwalk-scanner --version | sed 's/ [0-9.]*$/ V/'
run pwalk tail nobody --timeout 0.1
run pwalk tail --timeout 0
run pwalk rm nobody
run pwalk rm ../escape
