#pragma once

namespace outpost {

/// Gives back to the machine what this process holds and does not use: freed memory that the allocator keeps, and the
/// pages of the program and its libraries that are mapped from their files (those in use come back at once, from the
/// page cache, where the kernel can drop the others now). Takes a millisecond or two, and what runs next is a little
/// slower: for times when nothing is expected to. From any thread.
void give_back_memory();

}  // namespace outpost
