# What the suites that need Node.js share; sourced at the project's root.

has_node() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'
}

# Debian's packages, by one suite at a time; says nothing when that fails.
install_packages() {
    mkdir -p .work
    {
        flock 9
        apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    } 9>.work/apt.lock >/dev/null 2>&1 || true
}

# Node.js is there, or the suite ends saying what to do.
require_node() {
    if ! has_node && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Node.js with apt..."
        install_packages nodejs npm
    fi
    if ! has_node; then
        echo "Node.js 20 or newer with npm is missing: install it (Debian 13, Ubuntu 25.04: apt install nodejs npm; else https://nodejs.org), then run this again"
        exit 1
    fi
}

# What tests/extra/$1/package-lock.json pins is in .work/$1.
install_modules() {
    local source=tests/extra/$1 modules=.work/$1 stamp
    stamp="$(node --version) $(cat "$source/.npmrc" "$source/package-lock.json" | sha256sum)"
    [ "$(cat "$modules/installed.txt" 2>/dev/null)" = "$stamp" ] && return
    echo "Installing $source/package-lock.json into $modules..."
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$source/.npmrc" "$source/package.json" "$source/package-lock.json" "$modules"
    # none of the pinned packages needs its install script
    (cd "$modules" && npm ci --ignore-scripts --loglevel=error) || {
        echo "npm could not install $source/package-lock.json: see above; once the cause is gone (network? disk space?), the same command carries on"
        exit 1
    }
    echo "$stamp" >"$modules/installed.txt"
}
