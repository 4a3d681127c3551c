"""A fleet of hosts that pull their own state from NATS JetStream. Nothing pushes into a host.

keys          the fleet's key, each host's secret, and what follows from them
signed        statements that are signed: what makes another's, an older one and an altered one refused
desired       a host's desired state, sealed to it; what its key in the bucket holds
decision      commit or abort: the one record that decides about a change of many hosts
"""
