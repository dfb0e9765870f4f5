"""`python -m cloud` is `fieldtill-hq`."""

from cloud.cli import main

main()
