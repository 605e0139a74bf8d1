// Boost.Process v2, compiled once: before 1.86 there is no library, and its header-only mode misses a definition
// (process_environment::on_setup).
#include <boost/process/v2/src.hpp>
