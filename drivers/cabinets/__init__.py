"""Cabinets put together from boards, sensors and pack links on lines."""
