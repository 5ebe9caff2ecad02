//! A dataset beyond its rows: building one from files, dividing it into training, validation and test, and the manifests.
//!
//! | file | idea |
//! | --- | --- |
//! | `build` | files in, a dataset out, through the parts of the engine |
//! | `files` | which files that is, in order |
//! | `folder` | whether a folder may become a dataset |
//! | `split` | which side of the split an image goes to |
//! | `fingerprint` | what an image looks like, so that near-duplicates are found without decoding |
//! | `manifest` | `splits/*.csv` |
//! | `review` | what people decided, as CSV and COCO |

pub mod build;
mod files;
pub mod fingerprint;
mod folder;
pub mod manifest;
pub mod review;
pub mod split;
