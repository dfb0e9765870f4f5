"""`python -m cloud` is `fieldtill-hq`."""

from cloud.cli.main import main

main()
