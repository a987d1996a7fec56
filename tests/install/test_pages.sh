#!/bin/sh
# The man pages render without warnings and document every option; bash completes commands, options and values.
. "$(dirname "$0")/lib.sh"
install_to "$work/prefix"

completions=$prefix/share/bash-completion/completions
cat >complete.bash <<'BASH'
# complete.bash FILE WORD...: prints bash's completions of the last word.
set -u
source "$1"
shift
# Only readline provides it.
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
"$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')" || :
printf '%s\n' "${COMPREPLY[@]}"
BASH
need bash
run 0 bash complete.bash "$completions/weir" weir wri
out_is write
run 0 bash complete.bash "$completions/weir" weir namespace rot
out_is rotate-token
run 0 bash complete.bash "$completions/weir" weir write --exp
out_is --expect=
run 0 bash complete.bash "$completions/weir" weir --format ''
out_is 'json
text'
run 0 bash complete.bash "$completions/weir-server" weir-server --dura
out_is --durability
run 0 bash complete.bash "$completions/weir-server" weir-server --durability = n
out_is normal
run 0 bash complete.bash "$completions/weir-server" weir-server --test-mode --log-l
out_is --log-level
touch certificate.pem
run 0 bash complete.bash "$completions/weir-server" weir-server --tls-cert cert
out_is certificate.pem
run 0 bash complete.bash "$completions/weir-server" weir-server --workers ''
out_is ''

need man
pages=0
for page in "$prefix"/share/man/man[18]/*; do
    run 0 man --warnings -E UTF-8 -l -Tutf8 -Z "$page"
    checks=$((checks + 1))
    [ ! -s err ] || fail "$page does not render without a warning"
    pages=$((pages + 1))
done
is_equal "$([ $pages -ge 10 ] && echo enough)" enough
"$server" --help | grep -o -e '^ *--[a-z-]*' | tr -d ' ' >options
is_equal "$(wc -l <options | awk '$1 >= 20 { print "enough" }')" enough
run 0 env MANWIDTH=200 man -E UTF-8 -l "$prefix/share/man/man8/weir-server.8"
cp out page
while read -r option; do
    run 0 grep -e "$option" page
done <options
finish
