# CUDA kernels as data of a program: a fat binary per file of native/cuda/kernels/, and ipa_cuda_images, the library
# that carries them (cuda/driver/images.h).
find_program(IPA_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
if(NOT IPA_NVCC)
  message(FATAL_ERROR "IPA_CUDA needs nvcc of the CUDA toolkit 13.0 or newer: put it on PATH or set CUDA_HOME")
endif()
set(IPA_CUDA_ARCHITECTURES "75;80;86;89;90;120" CACHE STRING "compute capabilities to build images for")
set(IPA_CUDA_PTX "90" CACHE STRING "compute capability of the PTX for cards that have no image; empty for none")

file(GLOB IPA_CUDA_KERNELS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/kernels/*.cu)
set(images "#include \"cuda/driver/images.h\"\n\nextern \"C\" {\n")
set(rows "")
set(IPA_CUDA_FATBINS)
foreach(source IN LISTS IPA_CUDA_KERNELS)
  get_filename_component(name ${source} NAME_WE)
  set(fatbin ${CMAKE_BINARY_DIR}/cuda/${name}.fatbin)
  set(targets)
  foreach(architecture IN LISTS IPA_CUDA_ARCHITECTURES)
    if(architecture LESS 80 AND name MATCHES "_(bf16|ampere)$")
      continue()  # no products of bf16, too few registers
    endif()
    list(APPEND targets -gencode arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  if(IPA_CUDA_PTX)
    list(APPEND targets -gencode arch=compute_${IPA_CUDA_PTX},code=compute_${IPA_CUDA_PTX})
  endif()
  if(NOT targets)
    continue()
  endif()
  add_custom_command(OUTPUT ${fatbin}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/cuda
    COMMAND ${IPA_NVCC} -fatbin -std=c++20 -I${CMAKE_CURRENT_SOURCE_DIR}/native --compress-mode=size
      -Werror all-warnings ${targets} -MD -MF ${fatbin}.d -MT ${fatbin} ${source} -o ${fatbin}
    DEPENDS ${source} DEPFILE ${fatbin}.d
    COMMENT "CUDA kernels of ${name}" VERBATIM)
  list(APPEND IPA_CUDA_FATBINS ${fatbin})
  string(APPEND images
    "asm(\".pushsection .rodata; .balign 64; ipa_image_${name}: .incbin \\\"${fatbin}\\\"; .popsection\");\n"
    "extern const unsigned char ipa_image_${name}[] __attribute__((visibility(\"hidden\")));\n")
  string(APPEND rows "    {\"${name}\", ipa_image_${name}},\n")
endforeach()
string(APPEND images "}\n\nnamespace ipa::cuda::driver {\n\n"
  "std::span<const Image> images() noexcept {\n  static const Image all[] = {\n${rows}  };\n  return all;\n}\n\n"
  "}  // namespace ipa::cuda::driver\n")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/cuda/images.cpp CONTENT "${images}" @ONLY)

add_library(ipa_cuda_images STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/cuda/images.cpp)
set_source_files_properties(${CMAKE_BINARY_DIR}/cuda/images.cpp PROPERTIES OBJECT_DEPENDS "${IPA_CUDA_FATBINS}")
target_link_libraries(ipa_cuda_images PUBLIC ipa_flags)
