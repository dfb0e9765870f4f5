"""Simulated devices that speak the real protocol on a real pty or TCP port. `docs/twins.md` shows their use."""

from drivers.twins.car import Car, Outlet
from drivers.twins.config import DeviceConfig, LineConfig, OutletConfig, SiteConfig, read_site
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.pumps.registry import PROTOCOLS
from drivers.twins.pumps.serve import serve_pump
from drivers.twins.serve import serve_one
from drivers.twins.site import Place, TwinSite
from drivers.twins.twin import Twin

__all__ = [
    "PROTOCOLS", "Car", "DeviceConfig", "Fault", "FaultKind", "LineConfig", "Outlet", "OutletConfig", "Place",
    "SiteConfig", "Twin", "TwinSite", "read_site", "serve_one", "serve_pump",
]  # fmt: skip
