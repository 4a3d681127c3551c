"""Files of other tools, as they are found in the field."""

INTERFACES = """\
auto l2tpeth0
iface l2tpeth0 inet static
    address 10.0.0.1
    netmask 255.255.255.0
    mtu 1400
    pre-up ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 2 encap udp local 192.0.2.1 remote 192.0.2.2 \\
        udp_sport 5000 udp_dport 5001 && ip l2tp add session tunnel_id 1 session_id 1 peer_session_id 2
    up ip route add 10.5.0.0/16 dev $IFACE
    down ip l2tp del tunnel tunnel_id 1
iface br0 inet manual
    bridge_ports eth1 l2tpeth1
    bridge_stp off
    pre-up ip l2tp add session tunnel_id 1 session_id 3 peer_session_id 3
    post-up bridge link set dev l2tpeth1 isolated on
"""

UNIT = """\
[Unit]
Description=x
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 2 encap ip local 192.0.2.1 remote 192.0.2.2
ExecStart=-/sbin/ip l2tp add session tunnel_id 1 session_id 1 peer_session_id 2
ExecStart=/bin/sh -c "ip link set up l2tpeth0; ip addr add 10.42.1.1 peer 10.42.1.2 dev l2tpeth0"
ExecStop=/sbin/ip l2tp del tunnel tunnel_id 1
"""

OPENWRT = """\
config interface 'l2tp1'
        option proto 'l2tpv3'
        option remote '10.0.0.1'
        option local '10.0.0.2'
        option tunnel_id '101'
        option peer_tunnel_id '100'
        option encap 'udp'
        option udp_sport '5000'
        option udp_dport '5001'
        option udp_csum '0'
        option session_id '11'
        option peer_session_id '10'
        option mtu '1500'
        option defaultroute '0'

config device
        option name 'br-lan'
        option type 'bridge'
        list ports 'lan1'
        list ports 'l2tpv3-l2tp1'

config interface 'lan'
        option device 'br-lan'
        option proto 'static'
        option ipaddr '192.168.1.1'
        option netmask '255.255.255.0'
"""

ROUTEROS = """\
# 2026-11-30 by RouterOS 7.20
/interface bridge
add name=bridge1 protocol-mode=none
/interface l2tp-ether
add connect-to=192.0.2.2 disabled=no local-address=192.0.2.1 \\
    local-session-id=1 local-tunnel-id=10 mtu=1500 name=l2tp-ether1 \\
    peer-cookie=00112233 remote-session-id=2 remote-tunnel-id=20 send-cookie=\\
    44556677 unmanaged-mode=yes use-l2-specific-sublayer=yes
/interface bridge port
add bridge=bridge1 interface=ether2
add bridge=bridge1 horizon=1 interface=l2tp-ether1
/ip address
add address=10.1.0.1/24 interface=bridge1 network=10.1.0.0
"""
