#!/bin/busybox sh
# Takes the answer of a DHCP server (busybox udhcpc).
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/${mask:-24}" brd + dev "$interface"
[ -n "$router" ] && ip route add default via "${router%% *}" dev "$interface"
: >/etc/resolv.conf
for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
