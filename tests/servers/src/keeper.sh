# Keeps one server for the process at the other end of standard input. Orders come in as lines, commands in them quoted for a shell. When
# the pipe closes, the owner is gone, however it ended: then the server is stopped and its folder removed. Run as: FOLDER SIGNALS, which
# are those that stop the server.

# Whatever is said after the owner's death must not kill the one who cleans up.
trap '' PIPE
exec 2>&1

folder=$1
signals=$2
server=

say_whether() {
    if "$@"; then echo 'keeper: done'; else echo 'keeper: not done'; fi
}

signal() {
    [ -n "$server" ] && kill "-$1" "$server"
}

stop() {
    [ -n "$server" ] || return 0
    for each in $signals; do
        signal "$each" 2>/dev/null
    done
    # One that is paused hears of the others only now.
    signal CONT 2>/dev/null
    wait "$server"
    server=
}

while read -r order command; do
    case $order in
    run)
        say_whether eval "$command" </dev/null
        ;;
    start)
        eval "exec $command" </dev/null &
        server=$!
        ;;
    stop)
        stop
        echo 'keeper: done'
        ;;
    pause) say_whether signal STOP ;;
    resume) say_whether signal CONT ;;
    esac
done

stop
rm -rf "$folder"
