"""URLs that clients name: where they may lead, and the confined process that opens and decodes them."""
