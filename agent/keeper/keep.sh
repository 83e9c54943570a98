#!/bin/sh
# Holds its home's lock, the agent's listening sockets and its end of PostgreSQL's pipe, which it inherited open, and starts the agent anew when it dies. Its arguments are the agent's command.
# File descriptor 3 is one end of a pair whose other end the agent alone holds: end of file says that the agent is gone, however it went.
# Meanwhile the kernel queues connections on the sockets, so none is refused. The agent that comes up makes a keeper of its own and ends this one.
trap '' HUP INT
ulimit -c 0 # an agent holds secrets for a moment: its memory goes into no file
read -r _ <&3
exec 3<&-
CAIRN_KEEPER_PID=$$
export CAIRN_KEEPER_PID
while :; do
  "$@"
  case $? in
    0 | 75) exit 0 ;; # it was asked to stop, or another agent has the lock
  esac
  sleep 1
done
