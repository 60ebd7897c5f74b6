# systemd-resolved as the pod's resolver, without D-Bus and as a user of no name: resolved.sh PROGRAM FOLDER COMMAND...
# FOLDER has resolved.conf, and stub.conf for the command, which asks resolved's address on loopback. In mounts of its own.
set -eu
program=$1 folder=$2
shift 2
mount --bind "$folder/stub.conf" /etc/resolv.conf
mount -t tmpfs tmpfs /etc/systemd
cp "$folder/resolved.conf" /etc/systemd
mkdir -p /run/systemd/resolve
chown 65534:65534 /run/systemd/resolve
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_bind_service,+net_raw,+setpcap \
	--ambient-caps=+net_bind_service,+net_raw,+setpcap "$program" 2>"$folder/resolved.log" &
trap 'kill $! && wait $! || :' EXIT
until ss -Hlun 'src 127.0.0.53' | grep -q .; do
	kill -0 $! || { cat "$folder/resolved.log" >&2; exit 1; }
	sleep 0.02
done
"$@"
