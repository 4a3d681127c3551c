"""Names of L2TP's numbers: message, attribute and pseudowire types (IANA's "l2tp-parameters", RFC 3931 s. 3.1, 5.4)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class MessageType(IntEnum):
    """Values of the Message Type AVP that RFC 3931 s. 3.1 defines."""

    SCCRQ = 1
    SCCRP = 2
    SCCCN = 3
    STOPCCN = 4
    HELLO = 6
    OCRQ = 7
    OCRP = 8
    OCCN = 9
    ICRQ = 10
    ICRP = 11
    ICCN = 12
    CDN = 14
    WEN = 15
    SLI = 16
    ACK = 20


class Attribute(IntEnum):
    """Attribute types of the AVPs that RFC 3931 s. 5.4 uses (vendor id 0)."""

    MESSAGE_TYPE = 0
    RESULT_CODE = 1
    TIE_BREAKER = 5
    HOST_NAME = 7
    VENDOR_NAME = 8
    RECEIVE_WINDOW_SIZE = 10
    SERIAL_NUMBER = 15
    PHYSICAL_CHANNEL_ID = 25
    CIRCUIT_ERRORS = 34
    RANDOM_VECTOR = 36
    EXTENDED_VENDOR_ID = 58
    MESSAGE_DIGEST = 59
    ROUTER_ID = 60
    ASSIGNED_CONTROL_CONNECTION_ID = 61
    PSEUDOWIRE_CAPABILITIES = 62
    LOCAL_SESSION_ID = 63
    REMOTE_SESSION_ID = 64
    ASSIGNED_COOKIE = 65
    REMOTE_END_ID = 66
    APPLICATION_CODE = 67
    PSEUDOWIRE_TYPE = 68
    L2_SPECIFIC_SUBLAYER = 69
    DATA_SEQUENCING = 70
    CIRCUIT_STATUS = 71
    PREFERRED_LANGUAGE = 72
    NONCE = 73
    TX_CONNECT_SPEED = 74
    RX_CONNECT_SPEED = 75


class PseudowireType(IntEnum):
    """Pseudowire types of ethernet (RFC 4719); this project makes ETHERNET only."""

    ETHERNET_VLAN = 4
    ETHERNET = 5


MESSAGE_NAMES: Final[dict[int, str]] = {
    1: "SCCRQ",
    2: "SCCRP",
    3: "SCCCN",
    4: "StopCCN",
    6: "HELLO",
    7: "OCRQ",
    8: "OCRP",
    9: "OCCN",
    10: "ICRQ",
    11: "ICRP",
    12: "ICCN",
    14: "CDN",
    15: "WEN",
    16: "SLI",
    17: "MDMST",
    18: "SRRQ",
    19: "SRRP",
    20: "ACK",
    21: "FSQ",
    22: "FSR",
    23: "MSRQ",
    24: "MSRP",
    25: "MSE",
    26: "MSI",
    27: "MSEN",
    28: "CSUN",
    29: "CSURQ",
}
"""Every assigned message type; 0, 5 and 13 are reserved."""

PSEUDOWIRE_NAMES: Final[dict[int, str]] = {
    1: "Frame Relay DLCI",
    2: "ATM AAL5 SDU VCC",
    3: "ATM cell port",
    4: "Ethernet VLAN",
    5: "Ethernet",
    6: "HDLC",
    7: "PPP",
    9: "ATM cell VCC",
    10: "ATM cell VPC",
    11: "IP",
    12: "MPEG-TS",
    13: "PSP",
}
"""The pseudowire types that are met in practice; 7 and 11 are not assigned, but in include/uapi/linux/l2tp.h."""

ATTRIBUTE_NAMES: Final[dict[int, str]] = dict(
    enumerate(
        (
            "Message Type",
            "Result Code",
            "Protocol Version",
            "Framing Capabilities",
            "Bearer Capabilities",
            "Tie Breaker",
            "Firmware Revision",
            "Host Name",
            "Vendor Name",
            "Assigned Tunnel ID",
            "Receive Window Size",
            "Challenge",
            "Q.931 Cause Code",
            "Response",
            "Assigned Session ID",
            "Serial Number",
            "Minimum BPS",
            "Maximum BPS",
            "Bearer Type",
            "Framing Type",
            "Reserved",
            "Called Number",
            "Calling Number",
            "Sub-Address",
            "Tx Connect Speed BPS (32 bit)",
            "Physical Channel ID",
            "Initial Received LCP CONFREQ",
            "Last Sent LCP CONFREQ",
            "Last Received LCP CONFREQ",
            "Proxy Authen Type",
            "Proxy Authen Name",
            "Proxy Authen Challenge",
            "Proxy Authen ID",
            "Proxy Authen Response",
            "Circuit Errors",
            "ACCM",
            "Random Vector",
            "Private Group ID",
            "Rx Connect Speed BPS (32 bit)",
            "Sequencing Required",
            "Rx Minimum BPS",
            "Rx Maximum BPS",
            "Service Category",
            "Service Name",
            "Calling Sub-Address",
            "VPI/VCI Identifier",
            "PPP Disconnect Cause Code",
            "CCDS",
            "SDS",
            "LCP Want Options",
            "LCP Allow Options",
            "LNS Last Sent LCP CONFREQ",
            "LNS Last Received LCP CONFREQ",
            "Modem On-Hold Capable",
            "Modem On-Hold Status",
            "PPPoE Relay",
            "PPPoE Relay Response Capability",
            "PPPoE Relay Forward Capability",
            "Extended Vendor ID",
            "Message Digest",
            "Router ID",
            "Assigned Control Connection ID",
            "Pseudowire Capabilities List",
            "Local Session ID",
            "Remote Session ID",
            "Assigned Cookie",
            "Remote End ID",
            "Application Code",
            "Pseudowire Type",
            "L2-Specific Sublayer",
            "Data Sequencing",
            "Circuit Status",
            "Preferred Language",
            "Control Message Authentication Nonce",
            "Tx Connect Speed",
            "Rx Connect Speed",
            "Failover Capability",
            "Tunnel Recovery",
            "Suggested Control Sequence",
            "Failover Session State",
            "Multicast Capability",
            "New Outgoing Sessions",
            "New Outgoing Sessions Acknowledgement",
            "Withdraw Outgoing Sessions",
            "Multicast Packets Priority",
            "Frame-Relay Header Length",
            "ATM Maximum Concatenated Cells",
            "OAM Emulation Required",
            "ATM Alarm Status",
            "Attachment Group Identifier",
            "Local End Identifier",
            "Interface Maximum Transmission Unit",
            "FCS Retention",
            "Tunnel Switching Aggregator ID",
            "Maximum Receive Unit",
            "Maximum Reassembled Receive Unit",
            "VCCV Capability",
            "Connect Speed Update",
            "Connect Speed Update Enable",
            "TDM Pseudowire",
            "RTP",
            "PW Switching Point",
            "S-BFD Target Discriminator ID",
        )
    )
)
"""Every attribute type that IANA has assigned under vendor id 0 (0 to 102)."""
