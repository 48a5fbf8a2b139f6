// What a C++ program, such as TensorFlow Serving, gets from an export.
//
//   saved_model_client EXPORT SIGNATURE IMAGE_FILE...
//
// loads a SavedModel with TensorFlow's own loader, feeds it the content of the image
// files and prints a line for each output: its name, its shape and its values, with
// tabs between them. Floats have all their digits.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

using tensorflow::Tensor;
using tensorflow::tstring;

void Print(const std::string& name, const Tensor& tensor) {
  std::cout << name << '\t';
  for (int i = 0; i < tensor.dims(); ++i) {
    std::cout << (i == 0 ? "" : "x") << tensor.dim_size(i);
  }
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    std::cout << '\t';
    if (tensor.dtype() == tensorflow::DT_STRING) {
      std::cout << std::string(tensor.flat<tstring>()(i));
    } else if (tensor.dtype() == tensorflow::DT_FLOAT) {
      std::cout << tensor.flat<float>()(i);
    } else {
      std::cout << tensor.flat<int32_t>()(i);
    }
  }
  std::cout << '\n';
}

int Fail(const std::string& message) {
  std::cerr << message << std::endl;
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 3) return Fail("saved_model_client EXPORT SIGNATURE IMAGE_FILE...");
  const std::string signature_name = argv[2];
  const std::vector<std::string> paths(argv + 3, argv + argc);

  tensorflow::SavedModelBundle bundle;
  auto status = tensorflow::LoadSavedModel({}, {}, argv[1], {"serve"}, &bundle);
  if (!status.ok()) return Fail(status.ToString());
  const auto found = bundle.GetSignatures().find(signature_name);
  if (found == bundle.GetSignatures().end()) return Fail("no " + signature_name);
  const auto& signature = found->second;

  Tensor images(tensorflow::DT_STRING, {static_cast<int64_t>(paths.size())});
  for (size_t i = 0; i < paths.size(); ++i) {
    std::ifstream file(paths[i], std::ios::binary);
    if (!file) return Fail("cannot read " + paths[i]);
    images.flat<tstring>()(i) = std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::vector<std::string> names, fetches;
  for (const auto& [name, output] : signature.outputs()) {
    names.push_back(name);
    fetches.push_back(output.name());
  }
  std::vector<Tensor> outputs;
  const std::string input = signature.inputs().at("image_bytes").name();
  status = bundle.session->Run({{input, images}}, fetches, {}, &outputs);
  if (!status.ok()) return Fail(status.ToString());

  std::cout.precision(std::numeric_limits<float>::max_digits10);
  for (size_t i = 0; i < names.size(); ++i) Print(names[i], outputs[i]);
  return 0;
}
