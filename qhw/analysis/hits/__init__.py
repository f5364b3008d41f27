"""How often does a conditional model hit what it was asked for?"""
