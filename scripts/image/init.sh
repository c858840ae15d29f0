#!/bin/busybox sh
# First process of the boot image: loads drivers, gets addresses, and runs the agent until it ends.
# Kernel arguments: flockcast.source=URL flockcast.token=TOKEN flockcast.interface=NAME
# flockcast.ip=NAME:ADDRESS/BITS flockcast.group=ADDRESS:PORT

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

say() { echo "flockcast: $*"; }
argument() {
  for word in $(cat /proc/cmdline); do
    case "$word" in "flockcast.$1="*) echo "${word#*=}"; return ;; esac
  done
}
shell() {
  say "$*"
  say "a shell follows; \"exit\" tries again"
  setsid cttyhack sh
}

say "loads drivers"
while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order
ip link set lo up

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
  shell "no interface got an address: connect the cable, or check the DHCP server"
done
ip -4 -o address show | while read -r _ name _ address _; do say "$name has $address"; done

source=$(argument source)
[ -n "$source" ] || source=$(cat /source)
token=$(argument token)
[ -n "$token" ] || { [ -f /token ] && token=$(cat /token); }
while [ -z "$token" ]; do
  say "type the enrolment token (flockcast-source token create --kind enrolment):"
  read -r token
done
(umask 077 && echo "$token" >/data/token)
interface=$(argument interface)
group=$(argument group)
while :; do
  say "the agent begins, for $source"
  flockcast-peer run --source "$source" --data /data/agent --enroll-file /data/token --imaging \
    ${interface:+--interface "$interface"} ${group:+--group "$group"}
  shell "the agent ended with status $?"
done
