/** Entry of the search page. */

import { render } from "preact";

import "../ui/look.css";
import "../ui/parts.css";
import "./search.css";
import "./sitting.css";
import "./video.css";
import "./viewer.css";
import { SearchPage } from "./page.tsx";

const root = document.getElementById("page");
if (root) render(<SearchPage />, root);
