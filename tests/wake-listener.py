"""Network card of a sleeping machine, for tests/wake-on-lan.test.ts.

Reads every Ethernet frame that arrives at an interface, and prints a line for each UDP datagram to
port 9: source address, target MAC, and payload in hex. Needs root (AF_PACKET).
"""
import socket
import sys

IPV4 = 0x0800
UDP = 17
WAKE_PORT = 9

card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
card.bind((sys.argv[1], IPV4))
print("listening", flush=True)
while True:
    frame = card.recv(65535)
    packet = frame[14:]
    header = (packet[0] & 15) * 4
    datagram = packet[header:]
    if packet[9] != UDP or int.from_bytes(datagram[2:4], "big") != WAKE_PORT:
        continue
    length = int.from_bytes(datagram[4:6], "big")
    payload = datagram[8:length]
    print(socket.inet_ntoa(packet[12:16]), frame[:6].hex(":"), payload.hex(), flush=True)
