#!/bin/sh
# Prints a git repository's history as import records, NDJSON, oldest first: `sh server/git_events.sh [REPOSITORY]`.
#
# A commit becomes a message CommitMade in the stream commit-<sha>, and each file it touched a message FileChanged in the
# stream file-<path>, correlated with its commit. Ids come from the commit's sha and times from its date, so that the
# same history always gives the same records. Exit 1 where there is no history.
set -eu
cd "${1:-.}"
git rev-parse --verify --quiet HEAD >/dev/null || {
    echo "git_events.sh: no git history here" >&2
    exit 1
}

git -c core.quotepath=true log --reverse --no-renames --numstat --format='C%x09%H%x09%ct%x09%s' | awk -F '\t' '
function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    gsub(/[\001-\037\177]/, " ", text)
    return "\"" text "\""
}
# The id of the k-th message of a commit: 28 digits of its sha and four of k, as a UUID is written.
function id_of(k) {
    return quoted(substr(sha, 1, 8) "-" substr(sha, 9, 4) "-" substr(sha, 13, 4) "-" substr(sha, 17, 4) "-" \
        substr(sha, 21, 8) sprintf("%04x", k))
}
function time_of(seconds, k) {
    return quoted(strftime("%Y-%m-%dT%H:%M:%S", seconds, 1) sprintf(".%06dZ", k))
}
function record(stream, type, data, meta) {
    if (!(stream in positions)) {
        positions[stream] = 0
    }
    printf "{\"id\":%s,\"stream\":%s,\"type\":\"%s\",\"pos\":%d,\"gpos\":%d,\"data\":%s%s,\"time\":%s}\n", \
        id_of(k), quoted(stream), type, positions[stream]++, ++gpos, data, meta, time_of(seconds, k)
    k++
}
$1 == "C" {
    sha = $2
    seconds = $3
    k = 0
    record("commit-" sha, "CommitMade", "{\"subject\":" quoted($4) "}", "")
    next
}
# A path with bytes that git quotes is left out: it would need unquoting first.
NF == 3 && $3 !~ /^"/ && k < 65536 {
    added = $1 == "-" ? 0 : $1
    removed = $2 == "-" ? 0 : $2
    record("file-" $3, "FileChanged", "{\"added\":" added ",\"removed\":" removed "}", \
        ",\"meta\":{\"correlationStreamName\":\"commit-" sha "\"}")
}'
