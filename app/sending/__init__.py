"""Sending: what a client asks for, what its configuration decides, and when it leaves. Pure rules; the calls are the worker's."""
