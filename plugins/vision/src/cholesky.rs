//! Small symmetric systems of linear equations, as least squares leave them, by Cholesky's decomposition.
//!
//! Whoever calls it adds the ridge that its own unknowns need. Called by [`crate::outline_fit`], [`crate::reference`], and core's fingerprints.

/// Solves the leading `n` unknowns of a positive definite system, of which the lower half counts; the others become 0.
/// `None` where it is not positive definite.
#[must_use]
pub fn solve<const N: usize>(mut m: [[f64; N]; N], right: [f64; N], n: usize) -> Option<[f64; N]> {
    for i in 0..n {
        for j in 0..=i {
            let rest: f64 = (0..j).map(|k| m[i][k] * m[j][k]).sum();
            if i == j {
                let pivot = m[i][i] - rest;
                if pivot.is_nan() || pivot <= 0.0 {
                    return None;
                }
                m[i][i] = pivot.sqrt();
            } else {
                m[i][j] = (m[i][j] - rest) / m[j][j];
            }
        }
    }
    let mut x = right;
    for i in 0..n {
        let rest: f64 = (0..i).map(|k| m[i][k] * x[k]).sum();
        x[i] = (x[i] - rest) / m[i][i];
    }
    for i in (0..n).rev() {
        let rest: f64 = (i + 1..n).map(|k| m[k][i] * x[k]).sum();
        x[i] = (x[i] - rest) / m[i][i];
    }
    x[n..].fill(0.0);
    x.iter().all(|value| value.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_solution_gives_the_right_side_back(
            factor in proptest::array::uniform4(proptest::array::uniform4(-3.0..3.0f64)),
            wanted in proptest::array::uniform4(-9.0..9.0f64), n in 1usize..=4,
        ) {
            // A matrix times its transpose, with a little on the diagonal, is positive definite.
            let entry = |i: usize, j: usize| {
                (0..4).map(|k| factor[i][k] * factor[j][k]).sum::<f64>() + if i == j { 0.5 } else { 0.0 }
            };
            let matrix: [[f64; 4]; 4] = std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j)));
            let right = std::array::from_fn(|i| (0..n).map(|j| matrix[i][j] * wanted[j]).sum());
            let found = solve(matrix, right, n).unwrap();
            for i in 0..4 {
                let expected = if i < n { wanted[i] } else { 0.0 };
                prop_assert!((found[i] - expected).abs() < 1e-6, "{found:?} for {wanted:?}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_solution() {
        assert_eq!(solve([[1.0, 2.0], [2.0, 1.0]], [1.0, 1.0], 2), None);
        assert_eq!(solve([[f64::NAN]], [1.0], 1), None);
    }
}
