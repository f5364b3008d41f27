"""Which mitigation pipeline is closest to exact at equal total shots?"""
