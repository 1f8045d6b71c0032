//! Native plugins: dynamic libraries behind a C ABI.
