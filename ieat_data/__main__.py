from ieat_data.cli import main

main()
