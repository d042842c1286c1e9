//! The script of the API Worker: everything is in the library, whose exports are the runtime's to call.
#![no_main]

use msci_edge_worker as _;
