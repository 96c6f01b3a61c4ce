"""The HTTP side: who calls, what they ask, what they get. Used by the functions behind API Gateway and by no
other.
"""
