"""OpenQASM 3: the reference parser's tree run as far as it is known before any shot is taken."""
