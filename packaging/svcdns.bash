# bash completion for svcdns. The flags are those that the program itself tells.

_svcdns()
{
	local cur=$2 prev=$3
	COMPREPLY=()
	case $prev in
	-conf | --conf | -pidfile | --pidfile)
		compopt -o filenames 2>/dev/null # a slash behind folders
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	-dns.port | --dns.port | -p | --p) ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$("$1" -h 2>&1 | sed -n 's/^  \(-[^ ]*\).*/\1/p') -h" -- "$cur")
		;;
	esac
} && complete -F _svcdns svcdns
