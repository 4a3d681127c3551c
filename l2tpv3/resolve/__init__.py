"""Resolving: from what is desired and what is on record to the new record.

It changes nothing, and asks the kernel for routes.
"""
