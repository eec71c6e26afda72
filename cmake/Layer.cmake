# dmmap_layer(NAME SOURCES...): one layer of the library as an object library.
function(dmmap_layer name)
  add_library(${name} OBJECT ${ARGN})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/include PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC tl::expected PRIVATE fmt::fmt Threads::Threads dmmap_warnings)
endfunction()
