# curl, a process for each name, which tries the addresses of a name one after the other: see ask.c for what comes in and goes out.
while read -r _ name; do
	said=$(curl -sSv -o /dev/null "http://$name/" 2>&1)
	tried=$(printf '%s\n' "$said" | sed -n 's/^\*   Trying \(.*\):80\.\.\.$/\1/p')
	# shellcheck disable=SC2086
	echo ${tried:-"- $(printf '%s\n' "$said" | tail -n 1)"}
done
