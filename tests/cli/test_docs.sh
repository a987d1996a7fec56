#!/bin/bash
# Man pages and bash completion that weir-docs generates from the table of commands: test_docs.sh WEIR-DOCS WEIR
set -u
docs=$1
weir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1" >&2
}

mkdir "$work/man1"
"$docs" man "$work/man1" && "$docs" bash "$work/weir.bash" || exit 1
"$docs" man "$work/no-such-directory" 2>/dev/null && fail 'a directory that is not there'
"$docs" 2>/dev/null && fail 'no arguments'

# Every command in --help has a man page, which contains every option of its help.
commands=$("$weir" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z-]*\)\{0,1\}\)  .*/\1/p')
[ "$(wc -l <<<"$commands")" -gt 20 ] || fail "only these commands are listed: $commands"
while read -r command; do
    page="$work/man1/weir-${command// /-}.1"
    [ -s "$page" ] || { fail "no page of '$command'"; continue; }
    grep -q '^\.SH SYNOPSIS' "$page" || fail "no synopsis of '$command'"
    while read -r option; do
        grep -q -- "${option//-/\\\\-}" "$page" "$work/man1/weir.1" || fail "$command: no word of $option"
    done < <("$weir" $command --help | grep -o '^ *\(-., \)*--[a-z-]*' | grep -o -- '--[a-z-]*' |
        grep -v -e '--help' -e '--usage' -e '--version')
done <<<"$commands"
if command -v groff >/dev/null; then
    for page in "$work"/man1/*.1; do
        said=$(groff -man -ww -z "$page" 2>&1)
        [ -z "$said" ] || fail "$page: $said"
    done
fi

# complete WORD...: prints the completions of the last word.
source "$work/weir.bash"
compopt() { :; }
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _weir
    echo "${COMPREPLY[*]}"
}
offers() {
    want=$1
    shift
    got=$(complete_words "$@")
    [ "$got" = "$want" ] || fail "'$*' offers '$got' instead of '$want'"
}
offers 'namespace' weir na
offers 'create' weir namespace cr
offers 'delete' weir -o json namespace d
offers 'read' weir --server x r
offers 'json' weir --format j
offers 'json text' weir -o ''
offers '--expect=' weir write s --e
offers '--batch= --backward' weir --server = x read --b
: >"$work/a-file"
offers "$work/a-file" weir import "$work/a-f"
offers "$work/a-file" weir --token-file = "$work/a-f"
[ "$failures" -eq 0 ]
