# Keeps one Postgres for the process at the other end of standard input. Orders come in as lines. When the pipe closes, the owner is
# gone, however it ended: then the server is stopped and its folder removed. Run as: BIN FOLDER [server options].

# Whatever is said after the owner's death must not kill the one who cleans up.
trap '' PIPE
exec 2>&1

bin=$1
folder=$2
shift 2
server=

stop() {
    [ -n "$server" ] || return 0
    # QUIT stops at once. TERM is for a server too young to have set its handlers: the shell started it with QUIT ignored.
    kill -QUIT "$server" 2>/dev/null
    kill -TERM "$server" 2>/dev/null
    wait "$server"
    server=
}

while read -r order; do
    case $order in
    make)
        if "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync </dev/null; then
            echo 'keeper: made'
        else
            echo 'keeper: not made'
        fi
        ;;
    start)
        "$bin/postgres" -D "$folder/data" "$@" </dev/null &
        server=$!
        ;;
    stop)
        stop
        echo 'keeper: stopped'
        ;;
    esac
done

stop
rm -rf "$folder"
