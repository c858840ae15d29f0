#!/bin/busybox sh
# First process of the boot image: loads drivers, gets addresses, and runs the agent until it ends.
# Kernel arguments: see the functions in arguments.sh, and docs/install/imaging.md.

/bin/busybox mkdir -p /proc /sys /dev /tmp /run /data /usr/bin /usr/sbin /sbin
/bin/busybox --install -s /usr/bin
export PATH=/bin:/usr/bin:/usr/sbin:/sbin HOME=/ TERM=linux
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=700 data /data
mount -t tmpfs -o mode=1777 tmp /tmp
exec </dev/console >/dev/console 2>&1
echo 4 4 1 7 >/proc/sys/kernel/printk

cmdline=/proc/cmdline
. /arguments
log=/tmp/agent.log

say() { echo "flockcast: $*"; }
open_shell() {
  say "a shell follows; the log of the agent is $log; \"exit\" leaves the shell"
  setsid cttyhack sh
}
# Waits for a person, who may open a shell: wait_for SECONDS
wait_for() {
  say "Enter opens a shell; otherwise this machine tries again in $1 s"
  began=$(cut -d. -f1 /proc/uptime)
  if read -r -t "$1" _; then open_shell; return; fi
  # A console without a keyboard gives no line at once.
  [ $(($(cut -d. -f1 /proc/uptime) - began)) -ge "$1" ] || sleep "$1"
}

argument_problems >/tmp/problems
while read -r problem; do say "$problem"; done </tmp/problems
if [ -s /tmp/problems ]; then
  say "correct the arguments of the kernel, and start again: without them the machine goes on in a minute"
  wait_for 60
fi

say "loads drivers"
while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order
ip link set lo up

# The machine is known again after a power cut, and by its first card in lists of devices.
macs=$(cat /sys/class/net/*/address 2>/dev/null | grep -v 00:00:00:00:00:00 | sort)
firmware=$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)
if [ -n "$macs" ]; then
  echo "flockcast $firmware $macs" | sha256sum | cut -c 1-32 >/etc/machine-id
  hostname "boot-$(echo "$macs" | head -n 1 | tr -d :)"
fi

# The default receive buffer of the kernel loses datagrams.
echo 8388608 >/proc/sys/net/core/rmem_max

say "gets an address"
static=$(argument ip)
[ -n "$static" ] && ip address add "${static#*:}" brd + dev "${static%%:*}" && ip link set "${static%%:*}" up
configure() {
  for path in /sys/class/net/*; do
    name=${path##*/}
    case "$name" in lo | "${static%%:*}") continue ;; esac
    ip link set "$name" up
    udhcpc -i "$name" -s /dhcp -n -q -t 5 -T 2 >/dev/null 2>&1 && found=yes
  done
}
found=
while :; do
  configure
  [ -n "$found$static" ] && break
  say "no interface got an address: connect the cable, or check the DHCP server"
  wait_for 15
done
ip -4 -o address show | while read -r _ name _ address _; do say "$name has $address"; done

source=$(argument source)
[ -n "$source" ] || source=$(cat /source)
pin=
[ -f /pin ] && pin=$(cat /pin)
token=$(argument token)
[ -n "$token" ] || { [ -f /token ] && token=$(cat /token); }

ask_token() {
  say "type the enrolment token (flockcast-source token create NAME --kind enrolment --scope imaging):"
  read -r token || sleep 5
}
while :; do
  [ -n "$token$pin" ] || ask_token
  [ -n "$token" ] || break
  problem=$(token_problem "$token" "$pin")
  [ -z "$problem" ] && break
  say "$problem"
  ask_token
done

# Runs the agent. Enter opens a shell next to it.
run_agent() {
  (umask 077 && echo "${token:-$pin}" >/data/token)
  set --
  for name in interface group; do
    value=$(argument "$name")
    [ -n "$value" ] && set -- "$@" "--$name" "$value"
  done
  for name in task disk; do
    value=$(argument "$name")
    [ -n "$value" ] && set -- "$@" "--only-$name" "$value"
  done
  flockcast-peer run --source "$source" --data /data/agent --enroll-file /data/token --imaging \
    --log-file "$log" "$@" &
  agent=$!
  while kill -0 "$agent" 2>/dev/null; do
    if read -r -t 2 _; then open_shell; else sleep 1; fi
  done
  wait "$agent"
}

removed=77
while :; do
  [ -n "$token" ] || { [ -f /token ] && token=$(cat /token); }
  [ -n "$token$pin" ] || ask_token
  say "the agent begins, for $source; Enter opens a shell"
  run_agent
  status=$?
  say "the agent ended with status $status; the end of its log:"
  tail -n 3 "$log" 2>/dev/null
  if [ "$status" = "$removed" ]; then
    say "the source has removed this machine: it enrols again"
    rm -rf /data/agent
  fi
  [ -n "$token" ] || say "to use an enrolment token: echo TOKEN >/token in the shell"
  wait_for 30
done
