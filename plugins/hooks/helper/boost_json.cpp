// Boost.JSON, compiled into the program: it is linked statically, and the system's library is not.
#include <boost/json/src.hpp>
