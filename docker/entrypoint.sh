#!/bin/sh
# Start of the container: write what is missing into the data folder, else run the bridge.
#
# As root, files go to UID:GID (1337:1337 unless set) and the rest happens as that user;
# as any other user, as that user.
#   DATA_FOLDER     where the files are; default /data
#   BRIDGE_COMMAND  the program, may be several words; default mautrix-whatsapp-py
set -eu

data=${DATA_FOLDER:-/data}
command=${BRIDGE_COMMAND:-mautrix-whatsapp-py}
config=$data/config.yaml
registration=$data/registration.yaml

if [ "$(id -u)" = 0 ]; then
    # Not $UID: some shells keep the current user's id in it whatever the environment says.
    user=$(printenv UID || echo 1337)
    group=$(printenv GID || echo "$user")
    if [ "$user" != 0 ]; then
        chown -R "$user:$group" "$data"
        export HOME="$data"
        exec setpriv --reuid="$user" --regid="$group" --clear-groups -- "$0" "$@"
    fi
fi

cd "$data"

if [ ! -f "$config" ]; then
    # shellcheck disable=SC2086  the command may be several words
    $command --generate-example-config --config "$config" >&2
    echo "There was no configuration, so $config was written from the example." >&2
    echo "Fill in what is marked example.com there, then start the container again." >&2
    exit 0
fi

if [ ! -f "$registration" ]; then
    # shellcheck disable=SC2086
    $command --generate-registration --config "$config" --registration "$registration" >&2
    echo "There was no registration, so $registration was written." >&2
    echo "Name it under app_service_config_files of your Matrix server, restart that server," >&2
    echo "then start the container again." >&2
    exit 0
fi

# shellcheck disable=SC2086
exec $command --config "$config" "$@"
