# The GPU check (scripts/gpu-check.sh): built on request. With IPA_CUDA it carries the kernels and those of vectors.cu for
# the cards named, else it runs on the emulated device alone.
file(GLOB IPA_GPU_CHECK_SOURCES CONFIGURE_DEPENDS tools/gpu_check/*.cpp)
set(folder ${CMAKE_CURRENT_SOURCE_DIR}/tools/gpu_check)
add_executable(ipa_gpu_check EXCLUDE_FROM_ALL ${IPA_GPU_CHECK_SOURCES})
set_target_properties(ipa_gpu_check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/$<CONFIG>)
target_include_directories(ipa_gpu_check PRIVATE tools/gpu_check test/native test/native/cuda)
target_compile_options(ipa_gpu_check PRIVATE -O1 -ffp-contract=off)
target_link_libraries(ipa_gpu_check PRIVATE ipa_cuda_driver)

if(IPA_CUDA)
  set_source_files_properties(${folder}/image_none.cpp PROPERTIES HEADER_FILE_ONLY ON)
  set(targets)
  foreach(architecture IN LISTS IPA_CUDA_ARCHITECTURES)
    list(APPEND targets -gencode arch=compute_${architecture},code=sm_${architecture})
    if(architecture LESS 80)
      set(without_bf16 -DIPA_WITHOUT_BF16)
    endif()
  endforeach()
  set(fatbin ${CMAKE_BINARY_DIR}/cuda/check_vectors.fatbin)
  add_custom_command(OUTPUT ${fatbin}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/cuda
    COMMAND ${IPA_NVCC} -fatbin -std=c++20 -I${CMAKE_CURRENT_SOURCE_DIR}/native
      -I${CMAKE_CURRENT_SOURCE_DIR}/test/native/cuda -I${folder} ${without_bf16} -Werror all-warnings ${targets}
      -MD -MF ${fatbin}.d -MT ${fatbin} ${folder}/vectors.cu -o ${fatbin}
    DEPENDS ${folder}/vectors.cu DEPFILE ${fatbin}.d
    COMMENT "CUDA kernels of the instruction vectors" VERBATIM)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/cuda/check_image.cpp @ONLY CONTENT "#include \"image.h\"

extern \"C\" {
asm(\".pushsection .rodata; .balign 64; ipa_check_vectors: .incbin \\\"${fatbin}\\\"; .popsection\");
extern const unsigned char ipa_check_vectors[] __attribute__((visibility(\"hidden\")));
}

const void* ipa::gpu_check::vector_image() noexcept { return ipa_check_vectors; }
")
  target_sources(ipa_gpu_check PRIVATE ${CMAKE_BINARY_DIR}/cuda/check_image.cpp)
  set_source_files_properties(${CMAKE_BINARY_DIR}/cuda/check_image.cpp PROPERTIES OBJECT_DEPENDS ${fatbin})
  target_link_libraries(ipa_gpu_check PRIVATE ipa_cuda_images)
endif()
