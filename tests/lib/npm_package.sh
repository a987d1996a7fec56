# Sourced by scripts that need an npm package. npm_package NAME DIR FLAG... installs the packages of the lock file in
# DIR, once, under WEIR_TEST_CACHE (default: the user's cache directory), and sets `cache` to the directory of
# node_modules. Exits 77 if the package is not available.
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
