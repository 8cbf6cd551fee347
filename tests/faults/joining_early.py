"""`ieat` with a driver that joins small files after a few commits: a build of some shards would hardly join any."""

from ieat_data.__main__ import main
from ieat_data.execution import joining

if __name__ == "__main__":
    vars(joining).update(ROLLUP_AT=2, AT_END=2)
    main()
