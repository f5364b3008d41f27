"""How good are molecules with every atom, by the measures of the field?"""
