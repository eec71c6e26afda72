// What a server says to an mmap(2), whoever has asked: a program itself, or the kernel.
#pragma once

#include <dmmap/mapping.h>

#include <cstdint>
#include <vector>

namespace dmmap::mapping {

/// A grant, and the pieces that it's made of: one at least, which add up to the request's length.
struct Granted {
  Grant grant;
  std::vector<Piece> pieces;
};

/// mmap(2)'s arguments.
struct Arguments {
  std::uint64_t offset = 0;  ///< bytes, of whole pages
  std::uint64_t length = 0;  ///< bytes
  int prot = 0;
  int flags = 0;  ///< MAP_PRIVATE or something that shares
};

/// The question of whether this open file may be mapped so. Thread safety: any thread.
[[nodiscard]] MapRequest question_of(const MappedFilesystem::Grants& grants, const Request& request, HandleId handle,
                                     const Arguments& arguments);

/// Asks the file system. What can't be carried out is logged, and unmapped() at once. Errors: the file system's, and
/// what MappedFilesystem promises of grants that can't be. Thread safety: any thread.
Result<Granted> ask(MappedFilesystem& filesystem, MappedFilesystem::Grants& grants, Connection& connection,
                    const MapRequest& question);

/// What was granted can't be carried out: logged, and unmapped(). Thread safety: any thread.
void give_up(MappedFilesystem& filesystem, Connection& connection, const MapRequest& question, const Grant& grant,
             const Error& why);

}  // namespace dmmap::mapping
