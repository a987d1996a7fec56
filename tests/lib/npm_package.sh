# For scripts that need a package of npm; they source this. npm_package NAME DIR FLAG... installs what the lock file in
# DIR says, once, under WEIR_TEST_CACHE (default: the user's cache directory), and sets `cache` to where node_modules is.
# Exits 77 where it cannot be had.
npm_package() {
    name=$1
    from=$2
    shift 2
    for program in node npm flock; do
        command -v "$program" >/dev/null || {
            echo "skipped: there is no $program" >&2
            exit 77
        }
    done
    cache=${WEIR_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/weir-tests}
    cache=$cache/$name-$(cksum <"$from/package-lock.json" | tr ' ' -)
    mkdir -p "$cache"
    (
        flock 9
        [ -e "$cache/installed" ] || {
            cp "$from/package.json" "$from/package-lock.json" "$cache/"
            (cd "$cache" && npm ci --no-audit --no-fund "$@" >npm.log 2>&1 && touch installed)
        }
    ) 9>"$cache/lock" || {
        echo "skipped: the package $name cannot be had: $(tail -n 1 "$cache/npm.log")" >&2
        exit 77
    }
}
