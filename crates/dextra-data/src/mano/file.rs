//! The model's files: the pickle of Python 2 as downloaded, or a converted `.npz`.

use super::{BETAS, JOINTS, Mano, POSE};
use crate::pickle::Value;
use crate::{DataError, Npz, Pickle};
use dextra_core::Side;
use nalgebra::Point3;
use std::path::{Path, PathBuf};

/// Most vertices of a model of these keys: MANO's and those of a body that holds it.
const MAX_VERTICES: usize = 20_000;

pub(super) fn load(folder: &Path, side: Side) -> Result<Mano, DataError> {
    let stem = match side {
        Side::Right => "MANO_RIGHT",
        Side::Left => "MANO_LEFT",
    };
    let inside = |folder: PathBuf| {
        ["pkl", "npz"].into_iter().map(move |extension| folder.join(format!("{stem}.{extension}")))
    };
    let places = [folder.to_owned(), folder.join("models"), folder.join("mano")];
    let Some(file) = places.into_iter().flat_map(inside).find(|file| file.is_file()) else {
        let problem = format!(
            "no {stem}.pkl or .npz; the model is not part of this program: download it from its \
             authors and name its folder (--mano DIR)"
        );
        return Err(DataError::format(folder, problem));
    };
    read(&file, side)
}

/// Reads one file, whatever the number of its vertices.
pub(super) fn read(file: &Path, side: Side) -> Result<Mano, DataError> {
    let source = match file.extension().is_some_and(|e| e == "npz") {
        true => Source::Npz(Npz::open(file)?),
        false => Source::Pickle(Pickle::open(file)?),
    };
    let (shape, template) = source.array("v_template")?;
    let count = match shape[..] {
        [count, 3] if (JOINTS..=MAX_VERTICES).contains(&count) => count,
        _ => return Err(DataError::field(file, "v_template", format!("the shape is {shape:?}"))),
    };
    let exact = |key: &str, wanted: &[usize]| -> Result<Vec<f64>, DataError> {
        let (shape, values) = source.array(key)?;
        if shape != wanted {
            let problem = format!("the shape {wanted:?} was expected, not {shape:?}");
            return Err(DataError::field(file, key, problem));
        }
        if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
            return Err(DataError::field(file, key, format!("{bad} is not a finite number")));
        }
        Ok(values)
    };
    let (tree_shape, tree) = source.array("kintree_table")?;
    if tree_shape != [2, JOINTS] {
        let problem = format!("the shape [2, {JOINTS}] was expected, not {tree_shape:?}");
        return Err(DataError::field(file, "kintree_table", problem));
    }
    let mut parents = [None; JOINTS];
    for joint in 1..JOINTS {
        // The wrist's own parent is written as 2^32 - 1, and not looked at.
        let parent = tree[joint];
        if !(0.0..joint as f64).contains(&parent) {
            let problem = format!("joint {joint} has the parent {parent}, which comes later");
            return Err(DataError::field(file, "kintree_table", problem));
        }
        parents[joint] = Some(parent as usize);
    }
    let mean = exact("hands_mean", &[POSE])?;
    exact("v_template", &[count, 3])?;
    Ok(Mano {
        side,
        file: file.to_owned(),
        sha256: source.sha256().to_owned(),
        template: template.chunks_exact(3).map(|p| Point3::new(p[0], p[1], p[2])).collect(),
        shape_dirs: exact("shapedirs", &[count, 3, BETAS])?,
        pose_dirs: exact("posedirs", &[count, 3, 9 * (JOINTS - 1)])?,
        regressor: exact("J_regressor", &[JOINTS, count])?,
        weights: exact("weights", &[count, JOINTS])?,
        parents,
        components: exact("hands_components", &[POSE, POSE])?,
        mean: std::array::from_fn(|i| mean[i]),
    })
}

enum Source {
    Npz(Npz),
    Pickle(Pickle),
}

/// Shape and values in C order.
type Numbers = (Vec<usize>, Vec<f64>);

impl Source {
    fn sha256(&self) -> &str {
        match self {
            Source::Npz(npz) => npz.sha256(),
            Source::Pickle(pickle) => pickle.sha256(),
        }
    }

    fn array(&self, key: &str) -> Result<Numbers, DataError> {
        match self {
            Source::Npz(npz) => npz.array_f64(key),
            Source::Pickle(pickle) => numbers(&pickle.root().get(key)?),
        }
    }
}

/// An array, a sparse matrix of SciPy, or an expression of chumpy.
fn numbers(value: &Value) -> Result<Numbers, DataError> {
    let class = value.class().unwrap_or_default();
    if class.starts_with("scipy.sparse") {
        return dense(value);
    }
    if class.starts_with("chumpy.") {
        return expression(value);
    }
    value.array()
}

/// A compressed sparse column matrix as a dense one.
fn dense(value: &Value) -> Result<Numbers, DataError> {
    if !value.class().is_some_and(|class| class.ends_with("csc_matrix")) {
        return Err(value.problem(format!("csc_matrix was expected, not {}", value.kind())));
    }
    let shape = value.find("_shape").map_or_else(|| value.get("shape"), Ok)?;
    let [rows, columns] = shape.numbers::<2>()?.map(|n| n as usize);
    let (data, indices) = (value.get("data")?.array()?.1, value.get("indices")?.array()?.1);
    let starts = value.get("indptr")?.array()?.1;
    let sound = rows.saturating_mul(columns) <= JOINTS * MAX_VERTICES
        && starts.len() == columns + 1
        && data.len() == indices.len()
        && starts.windows(2).all(|pair| pair[0] <= pair[1])
        && starts.iter().all(|s| (0.0..=data.len() as f64).contains(s))
        && indices.iter().all(|i| (0.0..rows as f64).contains(i));
    if !sound {
        return Err(value.problem("a malformed sparse matrix"));
    }
    let mut values = vec![0.0; rows * columns];
    for column in 0..columns {
        for at in starts[column] as usize..starts[column + 1] as usize {
            values[indices[at] as usize * columns + column] += data[at];
        }
    }
    Ok((vec![rows, columns], values))
}

/// `Ch` holds its array in `x`; `Select` picks the items `idxs` of `a` and gives them a shape.
fn expression(value: &Value) -> Result<Numbers, DataError> {
    if let Some(inner) = value.find("x") {
        return inner.array();
    }
    let whole = value.get("a")?;
    // One level is all that the model has.
    let (_, whole) = whole.find("x").unwrap_or(whole).array()?;
    let picked = value.get("idxs")?;
    let values: Option<Vec<f64>> =
        picked.array()?.1.iter().map(|&i| whole.get(i as usize).copied()).collect();
    let values = values.ok_or_else(|| picked.problem("an index beyond the array"))?;
    let shape: Vec<usize> =
        value.get("preferred_shape")?.array()?.1.iter().map(|&n| n as usize).collect();
    if shape.iter().try_fold(1usize, |p, &n| p.checked_mul(n)) != Some(values.len()) {
        return Err(value.problem(format!("{} items for the shape {shape:?}", values.len())));
    }
    Ok((shape, values))
}
