"""python -m bridgecheck"""

from .main import main

main()
