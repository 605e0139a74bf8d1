#pragma once

namespace outpost {

/// From here on the calling thread yields to others: processor time at nice 10, a tenth of what an ordinary thread gets
/// when there is not enough for all, and the disk after everybody else's. There is no way back without privileges, so it
/// is for threads that do nothing else.
void work_in_background();

}  // namespace outpost
