# Runs the command, reports, waits to be ended. Port 1 of the virtio console carries our reports.
b=/run/guest/busybox
port=(/dev/vport*p1) port=${port%1}
exec 3>"${port}1"

if [[ -e /run/guest/tty ]]; then
  echo up >&3
  setsid --ctty --wait bash /run/guest/command <>/dev/hvc0 >&0 2>&0 3>&-
  status=$?
else
  # Only one process can open a virtio port, so /dev/stderr would not work on it: pipes in between do.
  $b cat /run/guest/out 3>&- >"${port}2" & out=$!
  $b cat /run/guest/err 3>&- >"${port}3" & err=$!
  echo up >&3
  bash /run/guest/command </dev/null >/run/guest/out 2>/run/guest/err 3>&-
  status=$?
  # What is still in the pipes; but a process that the command left behind may hold them open for ever.
  for ((tries = 0; tries < 20; tries++)); do
    kill -0 $out 2>/dev/null || kill -0 $err 2>/dev/null || break
    $b sleep 0.05
  done
fi
$b sync # the shared folder's cache writes back
echo "status $status" >&3
while :; do $b sleep 1000; done
