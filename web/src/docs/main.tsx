/** Entry of the API reference. */

import { render } from "preact";

import "../ui/look.css";
import "../ui/parts.css";
import "./docs.css";
import { DocsPage } from "./page.tsx";

const root = document.getElementById("page");
if (root) render(<DocsPage />, root);
